#!/bin/sh
# Puts the environment's TELEGRAM_BOT_TOKEN and ADMIN_CHAT_ID into alertmanager.yml, and writes it to FILE, which
# only its owner may read. usage: render.sh FILE [OWNER]
# ALERT_LANGUAGE: en or ru, en unless set. TELEGRAM_API_URL: https://api.telegram.org unless set.
set -eu
file=${1:?usage: render.sh FILE [OWNER]}
owner=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
language=${ALERT_LANGUAGE:-en}
api=${TELEGRAM_API_URL:-https://api.telegram.org}

refuse() { echo "render.sh: $1" >&2; exit 78; }
is() { printf '%s\n' "$2" | grep -Eqx -e "$1"; } # is PATTERN VALUE
# grep looks at each line by itself.
case "${TELEGRAM_BOT_TOKEN:-}${ADMIN_CHAT_ID:-}$language$api$here" in
    *'
'*) refuse "a value has a line break in it" ;;
esac
is '[0-9]+:[A-Za-z0-9_-]+' "${TELEGRAM_BOT_TOKEN:-}" ||
    refuse "TELEGRAM_BOT_TOKEN is not what BotFather gave you, such as 123456:ABC-def"
is '-?[1-9][0-9]*' "${ADMIN_CHAT_ID:-}" ||
    refuse "ADMIN_CHAT_ID is not a whole number, such as 123456789 for a person or -1001234567890 for a group"
is 'en|ru' "$language" || refuse "ALERT_LANGUAGE is $language and not en or ru"
is 'https?://[A-Za-z0-9._:/-]+' "$api" || refuse "TELEGRAM_API_URL is no http or https URL: $api"
is '[A-Za-z0-9._/ -]+' "$here" || refuse "the folder has characters in its name that YAML would trip over: $here"

umask 077
new=$file.new.$$
trap 'rm -f "$new"' EXIT
# Through the environment: other users can read the arguments of a program.
export TELEGRAM_BOT_TOKEN ADMIN_CHAT_ID ALERT_LANGUAGE="$language" TELEGRAM_API_URL="$api" TEMPLATES="$here"
awk '
    /^ *#/ { next }
    {
        while (match($0, /\$\{[A-Z_]+\}/)) {
            name = substr($0, RSTART + 2, RLENGTH - 3)
            if (!(name in ENVIRON)) { print "alertmanager.yml:" NR ": " name " is not known here" >"/dev/stderr"; exit 78 }
            $0 = substr($0, 1, RSTART - 1) ENVIRON[name] substr($0, RSTART + RLENGTH)
        }
        print
    }
' "$here/alertmanager.yml" >"$new"
[ -z "$owner" ] || chown "$owner" "$new"
# Whole or not at all: Alertmanager may be reading it.
mv "$new" "$file"
trap - EXIT
echo "written: $file" >&2
