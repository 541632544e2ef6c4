cd /opt/haraka
node node_modules/.bin/haraka -i /opt/hk >/dev/null; cd /opt/hk
printf 'relay\n' > config/plugins
printf 'listen=198.51.100.5:25\nnodes=0\nspool_dir=/tmp\n' > config/smtp.ini
mkdir -p queue; echo mx.shop.example > config/me
printf '[relay]\nacl=true\n' > config/relay.ini; printf '198.51.100.0/24\n127.0.0.0/8\n' > config/relay_acl_allow
printf 'temp_fail_intervals=4s,4s\nconnect_timeout=6\nlocal_mx_ok=true\npool_timeout=1\n' > config/outbound.ini
echo warn > config/loglevel
node /opt/haraka/node_modules/.bin/haraka -c /opt/hk > /harness/haraka.log 2>&1 &
sleep 6; tail -5 /harness/haraka.log
python3 /harness/send.py /harness/cases.jsonl
sleep 60; ls queue | wc -l; tail -5 /harness/haraka.log
kill %1
