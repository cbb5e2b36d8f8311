# is_secret NAME: true for a variable that is called like a secret.
is_secret() { [[ ${1^^} =~ TOKEN(_|$)|SECRET|PASSW|PASSPHRASE|(^|_)(PASS|PWD|(API)?KEY)$|CREDENTIAL ]]; }
