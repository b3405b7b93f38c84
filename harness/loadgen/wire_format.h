/* What stands around a payload in a frame: docs/protocol.md. The labs have other protocols, and
 * another file in place of this one (labs/protocol). */
#ifndef LOADGEN_WIRE_FORMAT_H
#define LOADGEN_WIRE_FORMAT_H

enum { PAYLOAD_HEADER_BYTES = 4, PAYLOAD_OVERHEAD_BYTES = 4 };

#endif
