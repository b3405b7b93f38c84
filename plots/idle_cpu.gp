# E2: what one message costs the server, a few active connections among idle ones. Columns: curves.gp, and active.
#   gnuplot -e "data='…/charts/idle_cpu.dat'; out='x.svg'" plots/idle_cpu.gp

load 'plots/style.gp'
stats data using (active = strcol('active'), 0) nooutput
eval heading(sprintf('CPU time a message with %s active connections among N idle ones', active))
set xlabel sprintf('connections: %s active, the others idle', active)
set ylabel 'CPU time of the server a message, µs'
set format x counts
set format y times
logarithmic = 1
load 'plots/curves.gp'
