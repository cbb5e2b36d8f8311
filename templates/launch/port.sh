# Whoever answers there is not the server that is to be measured.
port_is_taken() { (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
{%- if replicas > 1 %}
for ((number = port; number < port + replicas; number++)); do
  ! port_is_taken "$number" || missing "port $number on $HOSTNAME: another program listens there"
done
{%- else %}
! port_is_taken "$port" || missing "port $port on $HOSTNAME: another program listens there"
{%- endif %}
