#!/usr/bin/env bash
# A machine with Debian's own cron daemon and one user, in namespaces of its own: nothing of it is left when its first process ends.
#     unshare --mount --pid --fork --mount-proc --kill-child bash cron.sh FOLDER PROJECT NODE UID
# FOLDER/home is the user's home, FOLDER/mail gets what cron mails, FOLDER/crontab is the user's crontab before `install`.
set -euo pipefail
folder=$1 project=$2 node=$3 uid=$4
mkdir -p "$folder"/{home,mail,project,private}
touch "$folder/node" "$folder/empty"
mount --bind "$project" "$folder/project"
mount --bind "$node" "$folder/node"

mount -t tmpfs none "$folder/private"
mkdir "$folder/private"/{upper,work}
printf '#!/bin/sh\ncat > "%s/mail/$$-$(date +%%s%%N)"\n' "$folder" >"$folder/private/upper/sendmail"
chmod 755 "$folder/private/upper/sendmail"
mount -t overlay overlay -o "lowerdir=/usr/sbin,upperdir=$folder/private/upper,workdir=$folder/private/work" /usr/sbin

for name in passwd shadow group; do cp -p "/etc/$name" "$folder/private/$name"; done
echo "lab-cron:x:$uid:$uid::$folder/home:/bin/sh" >>"$folder/private/passwd"
echo "lab-cron:*:19000:0:99999:7:::" >>"$folder/private/shadow"
echo "lab-cron:x:$uid:" >>"$folder/private/group"
for name in passwd shadow group; do mount --bind "$folder/private/$name" "/etc/$name"; done

mount -t tmpfs none /var/spool/cron
mkdir /var/spool/cron/crontabs
chgrp crontab /var/spool/cron/crontabs
chmod 1730 /var/spool/cron/crontabs
mount -t tmpfs none /run
mount -t tmpfs none /etc/cron.d
mount --bind "$folder/empty" /etc/crontab

chown -R "$uid:$uid" "$folder/home" "$folder/mail"
as_user() { setpriv --reuid="$uid" --regid="$uid" --clear-groups env -i HOME="$folder/home" LOGNAME=lab-cron PATH=/usr/bin:/bin "$@"; }
as_user crontab "$folder/crontab"
as_user "$folder/node" "$folder/project/dist/bundle/cli/main.js" schedule install -i local "$folder"/home/*/*.yaml
as_user crontab -l >"$folder/installed"
exec cron -f
