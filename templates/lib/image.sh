{%- match runtime %}
{%- when Runtime::Pyxis %}

{% include "lib/pyxis/image.sh" %}
{%- when Runtime::Apptainer %}

{% include "lib/apptainer/image.sh" %}
{%- when Runtime::Podman %}

{% include "lib/podman/image.sh" %}
{%- endmatch %}
