# is_secret NAME: true for a variable that is called like a secret, whatever a locale's capital letters are.
is_secret() {
  local LC_ALL=C
  [[ ${1^^} =~ TOKEN(_|$)|SECRET|PASSW|PASSPHRASE|(^|[^Y])PASS$|_PWD$|CREDENTIAL|(^|[^P])KEY$ ]]
}
