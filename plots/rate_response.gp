# E3: response time at one rate of requests. Columns: curves.gp, and quantile, rate.
#   gnuplot -e "data='…/charts/rate_response.dat'; out='x.svg'" plots/rate_response.gp

load 'plots/style.gp'
stats data using (quantile = strcol('quantile'), rate = strcol('rate'), 0) nooutput
eval heading(sprintf('Response time (%s) at %s requests a second', quantile, rate))
set xlabel 'connections, all active'
set ylabel sprintf('%s response time, µs', quantile)
set format x counts
set format y times
logarithmic = 1
load 'plots/curves.gp'
