readonly made_by={{ made_by }}
readonly recipe={{ recipe }}
