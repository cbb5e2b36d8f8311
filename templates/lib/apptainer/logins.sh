add_place APPTAINER_TMPDIR "${APPTAINER_TMPDIR:-${TMPDIR:-/tmp}}"

# The user's own login serves where it covers the registry; else the key. The second file is not read by every release.
credentials=${APPTAINER_CONFIGDIR:-${HOME-}/.apptainer}/docker-config.json
[[ -e $credentials || -n ${NGC_API_KEY-} ]] || credentials=${APPTAINER_CONFIGDIR:-${HOME-}/.docker}/config.json
# A login in variables goes to any registry that is asked. Its user's name says whether it is for NVIDIA's.
own_password='' other_logins=()
for user in {APPTAINER_,SINGULARITY_,}DOCKER_USERNAME; do
  password=${user%USERNAME}PASSWORD
  [[ ${!user-} != "\$oauthtoken" ]] || own_password=${own_password:-${!password-}}
  [[ ${!user-} == @(|"\$oauthtoken") || -z ${!password-} ]] || other_logins+=("$user" "$password")
done
has_login() { [[ -n $own_password ]] || grep -Fqs "\"$1\"" "$credentials"; }
