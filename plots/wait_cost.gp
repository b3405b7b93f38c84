# E4: one call that waits, one descriptor ready. Columns: curves.gp, and place (of the ready one).
#   gnuplot -e "data='…/charts/wait_cost.dat'; out='x.svg'" plots/wait_cost.gp

load 'plots/style.gp'
stats data using (place = strcol('place'), 0) nooutput
eval heading(sprintf('One wait, one descriptor ready (the %s)', place))
set xlabel 'descriptors watched'
set ylabel 'time of the call, µs'
set format x counts
set format y times
logarithmic = 1
load 'plots/curves.gp'
