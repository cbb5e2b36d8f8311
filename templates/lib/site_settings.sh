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
{%- if let Some(lines) = site.before %}
# Own lines, which run before the work.
# shellcheck disable=SC2016,SC2089 # they are expanded when they run
readonly lines_before={{ lines }}
{%- endif %}
{%- if let Some(lines) = site.after %}
# Own lines, which run at the end. $code is the exit code.
# shellcheck disable=SC2016,SC2089 # they are expanded when they run
readonly lines_after={{ lines }}
{%- endif %}
