# is_secret NAME: true for a variable that is called like a secret. (A locale may have capital letters of its own.)
is_secret() { local LC_ALL=C && [[ .${1^^} =~ TOKEN(_|$)|SECRET|PASS(W|PHRASE)|[^Y]PASS$|_PWD$|CRED(ENTIAL|S$)|[^P]KEYS?(_?[0-9]+)?$|_PAT$|JWT(_V?[0-9]+)?$|CONNECTION_STRING|AUTH_CONFIG$ ]]; }
