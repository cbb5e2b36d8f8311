{%- if !site.modules.is_empty() %}
# Modules of the site.
readonly modules=(
{%- for module in site.modules %}
  {{ module }}
{%- endfor %}
)
{%- endif %}
{%- if !site.proxy.is_empty() %}
# The way to the network outside, where the caller has not set another.
readonly proxy=(
{%- for assignment in site.proxy %}
  {{ assignment }}
{%- endfor %}
)
{%- endif %}
{%- if site.has_hooks() %}
# Hooks, which run before the work and at the end, where $code is the exit code.
# shellcheck disable=SC2016,SC2089 # they are expanded when they run
readonly lines_before={{ site.before }}
# shellcheck disable=SC2016,SC2089
readonly lines_after={{ site.after }}
{%- endif %}
