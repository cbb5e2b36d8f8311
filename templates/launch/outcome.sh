# From here on all is done that can be: when Slurm ends the job, it also ends
# whatever this script is just running.
set +e
code=1 reason=
if [[ -n $stopped_by ]]; then
  code=6 reason="stopped by signal $stopped_by"
elif ! at_work "${clients[replica]}"; then
  client_status "$replica"
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
  # Without its server the client fails in many ways; the cause is the server. Its step may
  # still remove its container.
  tries=100
  while ((code == 3 && tries-- > 0)) && running "${servers[replica]}" && [[ -z $stopped_by ]]; do
    sleep 0.1
  done
{%- if replicas > 1 %}
  if ((code == 3)) && only_removes "server.$replica"; then
{%- else %}
  if ((code == 3)) && only_removes server; then
{%- endif %}
    reason="the server ended before the sweep was over"
  fi
  if ((code != 0 && code != 6)) && ! running "${servers[replica]}"; then
    code=3
  fi
else
  code=3
fi
# When Slurm ends the job, its steps may end a moment before its word comes here.
if ((code == 3 || code == 6)); then
  [[ -n $stopped_by ]] || sleep 0.5
  [[ -z $stopped_by ]] || code=6 reason="stopped by signal $stopped_by"
fi
if ((code == 3)) && ! running "${servers[replica]}"; then
  status=0
  wait "${servers[replica]}" || status=$?
  reason="the server $(how_it_ended "$status") before the sweep was over"
fi
{%- if replicas > 1 %}
case $code in
  3 | 4) reason+=", server $replica on port $((port + replica))" ;;
esac
{%- endif %}
