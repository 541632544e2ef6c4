rm -rf /var/spool/mqueue/*
id user1 >/dev/null 2>&1 || useradd -m user1; useradd -m full 2>/dev/null
cd /etc/mail; cat > my.mc <<E
divert(0)dnl
include(\`/usr/share/sendmail/cf/m4/cf.m4')
OSTYPE(\`debian')dnl
DOMAIN(\`debian-mta')dnl
undefine(\`confHOST_STATUS_DIRECTORY')dnl
define(\`confDOMAIN_NAME', \`mx.shop.example')dnl
define(\`confTO_QUEUERETURN', \`30s')dnl
define(\`confTO_QUEUEWARN', \`10s')dnl
define(\`confTO_ICONNECT', \`5s')dnl
define(\`confTO_INITIAL', \`5s')dnl
define(\`confTO_CONNECT', \`5s')dnl
define(\`confMIN_QUEUE_AGE', \`0')dnl
define(\`confQUEUE_LA', \`200')dnl
define(\`confREFUSE_LA', \`200')dnl
define(\`confTO_RESOLVER_RETRANS', \`1s')dnl
define(\`confTO_RESOLVER_RETRY', \`1')dnl
define(\`confCONNECTION_RATE_THROTTLE', \`500')dnl
define(\`confMAX_DAEMON_CHILDREN', \`100')dnl
define(\`confPRIVACY_FLAGS', \`')dnl
FEATURE(\`no_default_msa')dnl
FEATURE(\`accept_unresolvable_domains')dnl
FEATURE(\`accept_unqualified_senders')dnl
FEATURE(\`promiscuous_relay')dnl
DAEMON_OPTIONS(\`Name=MTA, Addr=198.51.100.5')dnl
LOCAL_DOMAIN(\`local.example')dnl
MAILER(\`local')dnl
MAILER(\`smtp')dnl
E
m4 my.mc > sendmail.cf || exit
cat > aliases <<E
postmaster: root
MAILER-DAEMON: postmaster
pipe: "|/bin/sh -c 'echo cannot deliver: quota database is gone; exit 73'"
full: "|/bin/sh -c 'exit 75'"
reject: "|/bin/sh -c 'echo not wanted; exit 77'"
oldstaff: bert@mixed.example
team: bert@mixed.example, carl@mixed.example, user1
friends: user1, anna@mixed.example
loopa: loopb
loopb: loopa
vacation: "|/usr/bin/vacation user1"
E
newaliases -oA/etc/mail/aliases; mkdir -p /var/spool/mqueue /var/run/sendmail/mta; chown root:smmsp /var/spool/mqueue 2>/dev/null
printf 'Subject: away from my mail\n\nI am on holiday until 3 June.\n' > /home/user1/.vacation.msg; chown user1 /home/user1/.vacation.msg
touch access; makemap hash access < access
sendmail -bd -q5s -O QueueLA=200 || exit
sleep 1
python3 /harness/send.py /harness/cases.jsonl
for i in $(seq 24); do sleep 5; sendmail -bp | grep -q 'is empty' && break; done; sendmail -bp | tail -20
