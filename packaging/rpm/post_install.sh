# $1 is 1 for the first installation, 2 for an upgrade.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || :
    if [ "$1" = 1 ]; then
        systemctl preset sattva-monitor.service || :
    else
        systemctl try-restart sattva-monitor.service || :
    fi
fi
