id user1 >/dev/null 2>&1 || useradd -m user1; useradd -m full 2>/dev/null
mkdir -p /run/courier/authdaemon; chown courier:courier /run/courier /run/courier/authdaemon; id courier; ls -ld /run/courier
C=/etc/courier; cd $C
echo mx.shop.example > me; echo shop.example > defaultdomain; printf 'localhost\nmx.shop.example\nlocal.example\n' > locals
printf 'mx.shop.example\nlocal.example\n' > esmtpacceptmailfor
mkdir -p smtpaccess esmtpacceptmailfor.dir aliases; printf '198.51.100\tallow,RELAYCLIENT\n127\tallow,RELAYCLIENT\n' > smtpaccess/default
makesmtpaccess; makeacceptmailfor
cat > aliases/system <<E
postmaster: root
oldstaff@local.example: bert@mixed.example
team@local.example: bert@mixed.example, carl@mixed.example, user1
friends@local.example: user1, anna@mixed.example
E
makealiases
echo 40s > queuetime; echo 10s > warntime; echo 4s > retryalpha; echo 2 > retrybeta; echo 3s > retrygamma; echo 2 > retrymaxdelta; echo 5s > esmtptimeoutconnect; echo 5s > esmtptimeouthelo; echo 5s > esmtptimeout; echo 2s > esmtpdelay
echo ./Maildir > defaultdelivery
su user1 -c 'maildirmake ~/Maildir' 2>/dev/null
for u in full; do echo '| echo "Your mail is too much: maildir over quota"; exit 77' > /home/$u/.courier; done
sed -i 's/^ADDRESS=.*/ADDRESS=198.51.100.5/; s/^BOFHCHECKDNS=.*/BOFHCHECKDNS=0/; s/^ESMTPDSTART=.*/ESMTPDSTART=YES/; s/^BOFHBADMIME=.*/BOFHBADMIME=accept/; s/^TCPDOPTS=.*/TCPDOPTS="-nodnslookup -noidentlookup"/; s/^MAXPERIP=.*/MAXPERIP=400/; s/^MAXPERC=.*/MAXPERC=400/; s/^MAXDAEMONS=.*/MAXDAEMONS=400/' esmtpd

authdaemond start 2>&1; sleep 1
courierfilter start; courier start
sleep 2; grep -v -E "x-utf8|x-quoted" /harness/cases.jsonl > /harness/c.jsonl
python3 /harness/send.py /harness/c.jsonl --command /usr/sbin/sendmail
for i in $(seq 20); do sleep 5; mailq | tail -1 | grep -q '^0 ' && break; done; mailq | tail -3
