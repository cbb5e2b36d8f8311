# What enroot's words on image $1 mean, as far as that is known.
reason_of_failure() {
  local words=$private/words-$1 login=${image_logins[$1]}
  if grep -Eqi 'no space left|quota exceeded|write failed|wrote only [0-9]+ of' "$words"; then
    no_space_left
  elif grep -Eq '40[13] ?(Unauthorized|Forbidden)|error code: 40[13]' "$words" ||
    # What is last of enroot 4 where a registry with HTTP's plain logins refuses.
    grep -v '^srun: ' "$words" | tail -n 1 | grep -Eq 'Authenticating with user|Using credentials'; then
    if [[ -z $login ]] || has_login "$login"; then
      printf 'the registry does not take the login in %s, or there is none for it' "$credentials"
      [[ -z $login ]] || has_login authn.nvidia.com || printf '; %s wants one for authn.nvidia.com, too' "$login"
    else
      printf '%s does not take the key in NGC_API_KEY: it is wrong, has ended, or may not pull this image' "$login"
    fi
  elif grep -Eq '429 ?Too|error code: 429' "$words"; then
    printf 'the registry takes no more pulls for now: wait, or add a login for it to %s' "$credentials"
  elif grep -Eq '404 ?Not Found|error code: 404|Could not parse digest information' "$words"; then
    printf 'the registry has no such image%s: correct it in the recipe and render this script again' \
      "${image_architectures[$1]:+ for ${image_architectures[$1]}}"
  else
    printf "enroot's own words are above"
  fi
}
