# The picture in docs/measuring.md: the latency of a server that stalls, counted from the time that requests were due
# and from the time that they were sent.
#
#   build/loadgen --selftest --csv results/omission.csv
#   gnuplot -e "data='results/omission.csv'; picture='docs/omission.svg'" plots/omission.gp

set terminal svg size 760,420 dynamic background 'white' font 'sans,12'
set output picture
set datafile separator ','
set key top left Left reverse
set title 'A server that answers nothing for 300 of every 500 ms, 2,000 requests a second'
set xlabel 'percentile of requests'
set ylabel 'ms'
set xrange [0:100]
set yrange [-8:320]
set xtics 10
set grid

plot data using 1:2 skip 1 with lines lw 6 lc rgb '#bbbbbb' title 'on paper: 300 − (100 − p) · 5', \
     data using 1:3 skip 1 with lines lw 2 lc rgb '#1b6ca8' title 'corrected: from when a request was due', \
     data using 1:4 skip 1 with lines lw 2 lc rgb '#c0392b' title 'uncorrected: the same requests, from when they were sent', \
     data using 1:5 skip 1 with lines lw 2 dt 2 lc rgb '#e08e0b' title 'closed loop: send, wait for the reply, send again'
