/* G.722 by libspandsp: encode s16le at 16 kHz, or decode, from stdin to stdout. */
#include <stdint.h>
#include <stdio.h>
#include <spandsp.h>

int main(int argc, char **argv) {
  static int16_t pcm[320];
  static uint8_t octets[160];
  size_t count;
  if (argc > 1 && argv[1][0] == 'e') {
    g722_encode_state_t *state = g722_encode_init(NULL, 64000, 0);
    while ((count = fread(pcm, 2, 320, stdin)) > 0) fwrite(octets, 1, g722_encode(state, octets, pcm, count), stdout);
  } else {
    g722_decode_state_t *state = g722_decode_init(NULL, 64000, 0);
    while ((count = fread(octets, 1, 160, stdin)) > 0) fwrite(pcm, 2, g722_decode(state, pcm, octets, count), stdout);
  }
  return 0;
}
