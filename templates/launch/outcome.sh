# From here on all is done that can be: when Slurm ends the job, it also ends
# whatever this script is just running.
set +e
code=1 reason=
if [[ -n $stopped_by ]]; then
  code=6 reason="stopped by signal $stopped_by"
elif ! running "$client"; then
{%- if replicas > 1 %}
  status=${statuses[replica]-0}
  [[ -n ${statuses[replica]-} ]] || wait "$client" || status=$?
{%- else %}
  status=0
  wait "$client" || status=$?
{%- endif %}
  case $status in
    0) code=0 reason="all points are finished" ;;
    2) code=2 reason="something is missing in the container of $client_image" ;;
    3) code=3 reason="the server stopped answering" ;;
    4) code=4 reason="the server was not ready within $ready_timeout s" ;;
    5) code=5 reason="points failed" ;;
    6) code=6 reason="the client was stopped by a signal" ;;
    7) code=1 reason="no space is left in $results" ;;
    8) code=6 reason="the time that is left is too short for the points that are left" ;;
    9) code=2 reason="the server does not take the client's requests" ;;
    *) code=1 reason="the client step $(how_it_ended "$status")" ;;
  esac
  # Without its server the client fails in many ways; the cause is the server.
  if ((code != 0 && code != 6)) && ! running "$server"; then
    code=3
  fi
else
  code=3
fi
# When Slurm ends the job, its steps may end a moment before its word comes here.
if ((code == 3)); then
  sleep 0.5
  [[ -z $stopped_by ]] || code=6 reason="stopped by signal $stopped_by"
fi
if ((code == 3)) && ! running "$server"; then
  status=0
  wait "$server" || status=$?
  reason="the server $(how_it_ended "$status") before the sweep was over"
fi
{%- if replicas > 1 %}
case $code in
  3 | 4) reason+=", server $replica on port $((port + replica))" ;;
esac
{%- endif %}
