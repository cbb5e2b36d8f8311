{%- if site.is_set %}
# The site's modules, its way to the network outside (where the caller has not set another), and its hooks, which run before
# the work and at the end, where $code is the exit code.
readonly modules={{ site.modules }}
readonly proxy={{ site.proxy }}
# shellcheck disable=SC2016,SC2089 # they are expanded when they run
readonly lines_before={{ site.before }}
# shellcheck disable=SC2016,SC2089
readonly lines_after={{ site.after }}
{%- endif %}
