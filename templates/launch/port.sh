# Whoever answers there is not the server that is to be measured.
{%- if replicas > 1 %}
port_is_taken() { (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
for ((number = port; number < port + replicas; number++)); do
  ! port_is_taken "$number" || missing "port $number on $HOSTNAME: another program listens there"
done
{%- else %}
port_is_taken() { (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
! port_is_taken || missing "port $port on $HOSTNAME: another program listens there"
{%- endif %}
