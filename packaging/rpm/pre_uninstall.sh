# $1 is 0 when the last one goes.
if [ "$1" = 0 ] && [ -d /run/systemd/system ]; then
    systemctl disable --now sattva-monitor.service sattva-monitor.socket || :
fi
