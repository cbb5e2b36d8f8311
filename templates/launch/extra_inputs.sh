    --extra-inputs "max_tokens:$3"
{%- if min_tokens %}
    --extra-inputs "min_tokens:$3"
{%- endif %}
{%- if ignore_eos %}
    --extra-inputs ignore_eos:true
{%- endif %}
