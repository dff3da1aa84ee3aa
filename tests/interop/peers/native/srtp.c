/* libsrtp2 as a filter: srtp protect|unprotect SUITE KEY; frames of u16 length (big endian), u8 RTCP, octets on both sides.
 * What libsrtp refuses comes back with length 0. SUITE: cm128-80 cm128-32 cm192-80 cm192-32 cm256-80 cm256-32 gcm128 gcm256. */
#include <srtp2/srtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void suite(const char *name, srtp_crypto_policy_t *rtp, srtp_crypto_policy_t *rtcp) {
  srtp_crypto_policy_set_rtcp_default(rtcp);
  if (!strcmp(name, "cm128-80")) srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(rtp);
  else if (!strcmp(name, "cm128-32")) srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(rtp);
  else if (!strcmp(name, "gcm128")) {
    srtp_crypto_policy_set_aes_gcm_128_16_auth(rtp);
    srtp_crypto_policy_set_aes_gcm_128_16_auth(rtcp);
  } else if (!strcmp(name, "gcm256")) {
    srtp_crypto_policy_set_aes_gcm_256_16_auth(rtp);
    srtp_crypto_policy_set_aes_gcm_256_16_auth(rtcp);
  } else {
    int wide = !strncmp(name, "cm256", 5), narrow = strstr(name, "-32") != NULL;
    if (wide && narrow) srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32(rtp);
    else if (wide) srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(rtp);
    else if (narrow) srtp_crypto_policy_set_aes_cm_192_hmac_sha1_32(rtp);
    else srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80(rtp);
    if (wide) srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(rtcp);
    else srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80(rtcp);
  }
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  int protect = !strcmp(argv[1], "protect");
  unsigned char key[64], packet[4096], head[3];
  for (size_t i = 0; i < strlen(argv[3]) / 2 && i < sizeof key; i++) sscanf(argv[3] + 2 * i, "%2hhx", &key[i]);
  srtp_policy_t policy;
  memset(&policy, 0, sizeof policy);
  suite(argv[2], &policy.rtp, &policy.rtcp);
  policy.ssrc.type = protect ? ssrc_any_outbound : ssrc_any_inbound;
  policy.key = key;
  policy.window_size = 128;
  policy.allow_repeat_tx = 1;
  srtp_t session;
  if (srtp_init() || srtp_create(&session, &policy)) return 1;
  while (fread(head, 1, 3, stdin) == 3) {
    int octets = head[0] << 8 | head[1];
    if (octets > 2048 || fread(packet, 1, octets, stdin) != (size_t)octets) return 1;
    srtp_err_status_t status = protect ? (head[2] ? srtp_protect_rtcp : srtp_protect)(session, packet, &octets)
                                       : (head[2] ? srtp_unprotect_rtcp : srtp_unprotect)(session, packet, &octets);
    if (status) octets = 0;
    head[0] = octets >> 8;
    head[1] = octets & 255;
    fwrite(head, 1, 3, stdout);
    fwrite(packet, 1, octets, stdout);
  }
  return 0;
}
