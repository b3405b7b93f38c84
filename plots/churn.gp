# E9: connections made, served with one message and ended, a second. Columns: curves.gp.
#   gnuplot -e "data='…/charts/churn.dat'; out='x.svg'" plots/churn.gp

load 'plots/style.gp'
eval heading('Connections made, served once and ended')
set xlabel 'connections at the same time'
set ylabel 'connections a second'
set format x counts
set format y counts
set yrange [0:*]
load 'plots/curves.gp'
