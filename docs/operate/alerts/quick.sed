# Makes a trial of the set-up quick: scrapes and rules once a second, alerts without a delay, rates over
# 10 seconds, restarts over 60.
# For a trial only: an alert that fires at once also fires at a restart.
#   sed -E -f quick.sed alerts.yml
s/^( *(scrape_|evaluation_|group_|refresh_)?interval): .*/\1: 1s/
s/^( *group_wait): .*/\1: 1s/
s/^( *for): .*/\1: 0s/
s/\[(5m|15m)\]/[10s]/g
s/\[30m\]/[60s]/g
