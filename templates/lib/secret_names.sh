# is_secret NAME: true for a variable that is called like a secret. (A locale may have capital letters of its own.)
is_secret() { local LC_ALL=C && [[ .${1^^} =~ TOKEN(_|$)|SECRET|PASS(W|PHRASE)|[^Y]PASS$|_PWD$|CRED(ENTIAL|S$)|([^P]KEYS?|JWT)(_?V?[0-9]+)?$|_PAT$|CONNECTION_STRING|AUTH_CONFIG$ ]]; }
