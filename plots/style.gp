# What all figures share: terminal, texts, colours, marks, caption. Each script loads it first, from the project's
# directory. Its variables are given by -e; all but data have a default:
#
#   data      the file of columns
#   out       the file of the picture; it ends in .svg or .png. Without it the figure is drawn in the terminal
#   mouse     1: in the SVG the pointer shows values, and a click on a name in the key hides its curve. The SVG
#             then needs gnuplot's own js/gnuplot_svg.js beside it
#   title, x_label, y_label, caption   texts; the caption is the small print below the figure
#   x_kind, y_kind   how numbers are written: 'count' (10k), 'time' (microseconds, written as 20 ms or 3 s), 'plain', 'none'
#   setsize   where on the x axis FD_SETSIZE stands; 0: nowhere
#   kqueue    what kqueue is here
#   columns, lines   size of the terminal
#   height    of an SVG without its caption; its width is 800

if (!exists('data')) { print 'which columns? gnuplot -e "data=''…''" plots/….gp'; exit status 2 }
if (!exists('out')) out = ''
if (!exists('mouse')) mouse = 0
if (!exists('title')) title = data
if (!exists('x_label')) x_label = ''
if (!exists('y_label')) y_label = ''
if (!exists('x_kind')) x_kind = 'plain'
if (!exists('y_kind')) y_kind = 'plain'
if (!exists('setsize')) setsize = 0
if (!exists('caption')) caption = ''
if (!exists('kqueue')) kqueue = 'kqueue'
if (!exists('columns')) columns = 100
if (!exists('lines')) lines = 36
if (!exists('height')) height = 480

set encoding utf8
caption_lines = 1
do for [i=1:strlen(caption)] { if (caption[i:i] eq "\n") { caption_lines = caption_lines + 1 } }
plain = out eq ''
caption_pixels = 17 * caption_lines
if (!plain) { height = height + caption_pixels }
if (plain) {
    set terminal dumb noenhanced size columns, int(lines * height / 480.0)
} else { if (out[strlen(out)-3:] eq '.png') {
    if (strstrt(GPVAL_TERMINALS, 'pngcairo')) {
        set terminal pngcairo noenhanced size 1200, 1.5 * height font 'sans,14' fontscale 1.1 linewidth 1.5 pointscale 2 \
            background 'white'
    } else {
        set terminal png noenhanced truecolor size 1200, 1.5 * height linewidth 2 font 'sans,15' background '#ffffff'
    }
} else { if (mouse) {
    set terminal svg mousing jsdir 'js' noenhanced size 800, height dynamic font 'sans,14' background 'white'
} else {
    set terminal svg noenhanced size 800, height dynamic font 'sans,14' background 'white'
} } }
if (!plain) set output out

# A server looks the same in every figure. harness/servers.toml has the colours, which are Okabe and Ito's, so that
# people who see fewer colours can still tell them apart (jfly.uni-koeln.de/color), and each server's mark.
servers = system('harness/servers name')
colours = system('harness/servers colour')
marks = system('harness/servers mark')
stand_ins = system('harness/servers stand_in')
if (words(servers) == 0) { print 'run gnuplot from the project''s directory, where harness/servers is'; exit status 2 }
array label_of[words(servers)]
rest = system('harness/servers label')."\n"
do for [i=1:words(servers)] {
    line_end = strstrt(rest, "\n")
    label_of[i] = rest[1:line_end - 1]
    rest = rest[line_end + 1:*]
}
number(server) = (sum [i=1:words(servers)] (word(servers, i) eq server ? i : 0))
known(server) = number(server) > 0
# Only kqueue has stand-ins: its label says which one it is. A stand-in is grey, and drawn first, below all others.
emulated = strstrt(kqueue, '(') > 0
stands_in(server) = known(server) && emulated && word(stand_ins, number(server)) eq 'true'
is_kqueue(server) = known(server) && word(stand_ins, number(server)) eq 'true'
colour(server) = stands_in(server) || !known(server) ? '#999999' : word(colours, number(server))
mark(server) = known(server) ? int(word(marks, number(server))) : 1
dash(server) = stands_in(server) ? 2 : 1
label(server) = is_kqueue(server) ? kqueue : label_of[number(server)]
ordered = ''
do for [server in servers] { if (stands_in(server)) { ordered = ordered.' '.server } }
do for [server in servers] { if (!stands_in(server)) { ordered = ordered.' '.server } }
among(order, names) = (found = '', (sum [i=1:words(order)] (strstrt(names.' ', ' '.word(order, i).' ') > 0 ? \
    (found = found.' '.word(order, i), 1) : 0)), found)

# Title, key, picture and caption each have a band of their own, so that none lies over another. The bands are made of
# pixels; in a terminal, of shares.
share(pixels) = pixels / real(height)
below = 68 + caption_pixels
set label 1000 caption at screen (mouse ? 0.045 : 0.02), screen (plain ? 0.088 : share(caption_pixels - 8)) left font ',11' tc rgb '#444444'
set key at screen 0.5, screen (plain ? 0.925 : 1 - share(36)) center top horizontal maxcols 3 Left reverse \
    samplen 2 width (plain ? 0 : -4) font ',13'
set tmargin at screen (plain ? 0.78 : 1 - share(setsize > 0 ? 112 : 94))
set bmargin at screen (plain ? 0.24 : share(below))
set lmargin 10
set rmargin 4
if (!plain) set grid lt 1 lc rgb '#dddddd' lw 0.5
set dashtype 2 (6, 3)
set border 3 lc rgb '#444444'
set tics nomirror
set errorbars small
set label 1002 title at screen 0.5, screen (plain ? 0.965 : 1 - share(18)) center font ",17"
set xlabel x_label
if (y_label ne '') set ylabel y_label

# A number as people read it. Times come in microseconds.
time_text(v) = v < 1 ? sprintf('%.4g ns', v * 1e3) : v < 1e3 ? sprintf('%.4g µs', v) : \
    v < 1e6 ? sprintf('%.4g ms', v / 1e3) : sprintf('%.4g s', v / 1e6)
count_text(v) = v < 1e4 ? sprintf('%.4g', v) : v < 1e6 ? sprintf('%.4gk', v / 1e3) : sprintf('%.4gM', v / 1e6)
text(kind, v) = kind eq 'none' ? '' : kind eq 'time' ? time_text(v) : kind eq 'count' ? count_text(v) : sprintf('%.4g', v)

# Labels of a logarithmic axis from `least` to `most`. Where it spans few decades, also at 2 and 5, or more often.
steps(least, most) = most / least > 200 ? '1' : most / least > 8 ? '1 2 5' : '1 1.5 2 3 4 5 6 8'
add(into, part) = into eq '' ? part : into.', '.part
log_tics(kind, least, most) = (found = '', by = steps(least, most), \
    (sum [d=floor(log10(least)):ceil(log10(most))] (sum [i=1:words(by)] (v = 10.0 ** d * word(by, i), \
        found = v < least / 1.001 || v > most * 1.001 ? found : add(found, sprintf('"%s" %g', text(kind, v), v)), 0)) + \
    (sum [i=2:9] (v = 10.0 ** d * i, \
        found = v < least || v > most || strstrt(' '.by.' ', sprintf(' %d ', i)) ? found : add(found, sprintf('"" %g 1', v)), 0))), found)

# FD_SETSIZE: servers with that ceiling end there. The mark shows where it lies for all.
fd_setsize(least, most) = setsize <= least || setsize >= most ? '' : sprintf( \
    'set arrow 1003 from %g, graph 0 to %g, graph 1 nohead lw 1.2 dt 3 lc rgb "#8a5f00" back; ', setsize, setsize).( \
    'set label 1003 "FD_SETSIZE" at '.sprintf('%g', setsize).', graph 1 '.(plain ? 'right offset -1, 0' : 'center offset 0, 0.55').' font ",11" tc rgb "#8a5f00"')

# Several intervals at one x stand side by side: each server is moved by a few pixels, together with its whole curve.
# The columns keep the true x.
dodge(index, count, least, most) = (most / least) ** (0.007 * (index - (count + 1) / 2.0))
position_in(list, server) = (sum [i=1:words(list)] (word(list, i) eq server ? i : 0))

# The rows of one server; gnuplot does not draw NaN.
only(server, x) = strcol('server') eq server ? x : NaN
hollow(server, x) = strcol('server') eq server && column('disturbed') > 0 ? x : NaN
hover(server, words) = (known(server) ? label(server) : server).': '.words
bound_text(bound) = bound > 0 ? '≥' : bound < 0 ? '≤' : ''

# Of values that are all 0 there is no range, which gnuplot takes for an error: the axis then ends at 1. Use: eval
# not_empty('least_y', 'most_y')
not_empty(least, most) = 'if ('.most.' <= 0) { '.most.' = 1 }; if ('.least.' > '.most.') { '.least.' = '.most.' / 10.0 }'
