# What the words on the pull of image $1 mean, as far as that is known.
reason_of_failure() {
  local words=$private/words-$1 login=${image_logins[$1]}
  if grep -Eqi 'no space left|quota exceeded|write failed|wrote only [0-9]+ of' "$words"; then
    no_space_left
  elif grep -Eqi 'manifest unknown|name unknown|404 \(?not found|no image found in (image index|manifest list)|no child with platform' "$words"; then
    processor_of "$1"
    printf 'the registry has no such image for %s: correct it in the recipe and render this script again' "$REPLY"
  elif grep -Eqi 'zstd compression is not supported' "$words"; then
    printf 'podman before 4.8 cannot save an image with such layers: ask the site for a newer one, or use another runtime'
  elif grep -Eqi 'proxy authentication required|proxyconnect|/v2/": forbidden' "$words"; then
    printf 'the proxy in https_proxy refuses: ask the site, or submit without it'
  elif grep -Eqi 'toomanyrequests|too many requests' "$words"; then
    printf 'the registry takes no more pulls for now: wait, or log in there'
  elif grep -Eqi 'unauthorized|authentication required|access.*denied|: denied|forbidden' "$words"; then
    if [[ -z $login ]] || has_login "$login"; then
      printf 'the registry does not take the login that is there, or there is none for it'
    else
      printf '%s does not take the key in NGC_API_KEY: it is wrong, has ended, or may not pull this image' "$login"
    fi
  else
    printf 'its own words are above'
  fi
}
