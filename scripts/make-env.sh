#!/bin/sh
# Writes .env for docker-compose.yml: .env.example with a new secret wherever one is empty. It never touches a .env that is there.
# Usage: scripts/make-env.sh [ADMIN_EMAIL]
set -eu
cd "$(dirname "$0")/.."

if [ -e .env ]; then
  echo '.env is there already; its secrets belong to the volumes made with it. Delete both, or keep both.' >&2
  exit 1
fi

secret() { head -c 32 /dev/urandom | base64 | tr -d '\n=' | tr '+/' '-_'; }

umask 077
while IFS= read -r line; do
  case $line in
    [A-Z]*=) echo "$line$(secret)" ;;
    ADMIN_EMAIL=*) echo "ADMIN_EMAIL=${1:-${line#*=}}" ;;
    *) echo "$line" ;;
  esac
done <.env.example >.env.new
mv .env.new .env
echo "wrote .env; the administrator's login:"
grep '^ADMIN_' .env
