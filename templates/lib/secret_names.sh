# is_secret NAME: true for a variable that is called like a secret.
is_secret() { [[ ${1^^} =~ TOKEN(_|$)|SECRET|PASSW|PASSPHRASE|(^|[^Y])PASS$|_PWD$|CREDENTIAL|(^|[^P])KEY$ ]]; }
