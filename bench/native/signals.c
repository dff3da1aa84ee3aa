/* What native code takes for 20 ms of one channel: libspandsp's G.711, G.722 and DTMF receiver, and a plain mixer and
   resampler. Prints "name microseconds" a line, best of several rounds. Reads s16le speech at 8 kHz from stdin. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <spandsp.h>
#include <srtp2/srtp.h>

#define FRAMES 400
#define ROUNDS 15

static int16_t speech[FRAMES * 320], linear[FRAMES * 320];
static uint8_t octets[FRAMES * 160];
static volatile int sink;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

#define MEASURE(name, per, body)                          \
  do {                                                    \
    double best = 1e12;                                   \
    for (int round = 0; round < ROUNDS; round++) {        \
      double from = now();                                \
      for (int f = 0; f < (per); f++) { body; }           \
      double took = (now() - from) / (per);               \
      if (took < best) best = took;                       \
    }                                                     \
    printf("%s %.4f\n", name, best);                      \
  } while (0)

static int16_t members[200][320], heard[200][320];

static int16_t limit(int32_t x) { return x > 32767 ? 32767 : x < -32768 ? -32768 : x; }

static void mix(int count, int samples) {
  int32_t sum[320];
  memset(sum, 0, sizeof sum);
  for (int m = 0; m < count; m++) for (int n = 0; n < samples; n++) sum[n] += members[m][n];
  for (int m = 0; m < count; m++) for (int n = 0; n < samples; n++) heard[m][n] = limit(sum[n] - members[m][n]);
  sink += heard[count - 1][samples - 1];
}

static float taps[64], line[31 + 320];

static void up(const int16_t *in, int16_t *out) {
  memmove(line, line + 160, 31 * sizeof(float));
  for (int n = 0; n < 160; n++) line[31 + n] = in[n];
  for (int n = 0; n < 160; n++)
    for (int phase = 0; phase < 2; phase++) {
      float sum = 0;
      for (int t = 0; t < 32; t++) sum += line[n + t] * taps[phase * 32 + t];
      out[2 * n + phase] = limit((int32_t) sum);
    }
}

static srtp_t session(int out, int gcm) {
  static unsigned char key[64] = {7};
  srtp_policy_t policy;
  memset(&policy, 0, sizeof policy);
  if (gcm) srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
  else srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
  policy.rtcp = policy.rtp;
  policy.ssrc.type = out ? ssrc_any_outbound : ssrc_any_inbound;
  policy.key = key;
  policy.window_size = 128;
  srtp_t made;
  if (srtp_create(&made, &policy)) return NULL;
  return made;
}

static uint8_t packet[256], protected[ROUNDS * FRAMES][192];
static int sequence, octets_there;

static void protect(srtp_t s, int keep) {
  sequence++;
  packet[0] = 0x80;
  packet[2] = sequence >> 8;
  packet[3] = sequence;
  packet[11] = 1;
  memcpy(packet + 12, octets, 160);
  int length = 172;
  srtp_protect(s, packet, &length);
  if (keep) memcpy(protected[sequence - 1], packet, octets_there = length);
  sink += packet[20];
}

static void unprotect(srtp_t s) {
  int length = octets_there;
  if (srtp_unprotect(s, protected[sequence++], &length)) sink += 1;
}

int main(void) {
  if (fread(speech, 2, FRAMES * 320, stdin) < FRAMES * 320) return 1;
  for (int i = 0; i < 64; i++) taps[i] = 1.0f / (i + 1);
  for (int m = 0; m < 200; m++) memcpy(members[m], speech + m * 320, 640);
  MEASURE("ulaw-encode", FRAMES, for (int n = 0; n < 160; n++) octets[f * 160 + n] = linear_to_ulaw(speech[f * 160 + n]));
  MEASURE("ulaw-decode", FRAMES, for (int n = 0; n < 160; n++) linear[f * 160 + n] = ulaw_to_linear(octets[f * 160 + n]));
  MEASURE("alaw-encode", FRAMES, for (int n = 0; n < 160; n++) octets[f * 160 + n] = linear_to_alaw(speech[f * 160 + n]));
  MEASURE("alaw-decode", FRAMES, for (int n = 0; n < 160; n++) linear[f * 160 + n] = alaw_to_linear(octets[f * 160 + n]));
  g722_encode_state_t *encoder = g722_encode_init(NULL, 64000, 0);
  g722_decode_state_t *decoder = g722_decode_init(NULL, 64000, 0);
  MEASURE("g722-encode", FRAMES, g722_encode(encoder, octets + f * 160, speech + f * 320, 320));
  MEASURE("g722-decode", FRAMES, g722_decode(decoder, linear, octets + f * 160, 160));
  dtmf_rx_state_t *dtmf = dtmf_rx_init(NULL, NULL, NULL);
  MEASURE("dtmf", FRAMES, dtmf_rx(dtmf, speech + f * 160, 160));
  MEASURE("mix-50-8k", 200, mix(50, 160));
  MEASURE("mix-200-8k", 200, mix(200, 160));
  MEASURE("mix-50-16k", 200, mix(50, 320));
  MEASURE("mix-200-16k", 200, mix(200, 320));
  MEASURE("resample-8-16", FRAMES, up(speech + f * 160, linear));
  srtp_init();
  for (int gcm = 0; gcm < 2; gcm++) {
    srtp_t out = session(1, gcm), in = session(0, gcm);
    sequence = 0;
    MEASURE(gcm ? "srtp-gcm-protect" : "srtp-cm-protect", FRAMES, protect(out, 1));
    sequence = 0;
    MEASURE(gcm ? "srtp-gcm-open" : "srtp-cm-open", FRAMES, unprotect(in));
  }
  for (int i = 0; i < FRAMES * 320; i += 97) sink += linear[i] + octets[i / 2];
  return 0;
}
