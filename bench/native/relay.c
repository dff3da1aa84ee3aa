/* The measure of a relay: epoll, recvfrom, twelve octets of header rewritten, sendto. One thread, `pairs` pairs of sockets
 * on 127.0.0.1; what comes to one of a pair leaves from the other to the address its peer last sent from. Prints the ports,
 * then, at SIGTERM, packets and microseconds of CPU. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct leg {
  int fd;
  int other;
  int known;
  struct sockaddr_in peer;
  unsigned short sequence;
  unsigned int timestamp;
  unsigned int ssrc;
};

static volatile sig_atomic_t stopped;

static void stop(int signal) {
  (void)signal;
  stopped = 1;
}

int main(int count, char **arguments) {
  int pairs = count > 1 ? atoi(arguments[1]) : 100;
  struct leg *legs = calloc(2 * pairs, sizeof *legs);
  int epoll = epoll_create1(0);
  struct epoll_event events[256];
  unsigned char packet[2048];
  unsigned long relayed = 0;
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  for (int i = 0; i < 2 * pairs; i++) {
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof local;
    legs[i].fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    legs[i].other = i ^ 1;
    legs[i].ssrc = 0x1000 + i;
    if (bind(legs[i].fd, (struct sockaddr *)&local, sizeof local) != 0) return 1;
    getsockname(legs[i].fd, (struct sockaddr *)&local, &length);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(epoll, EPOLL_CTL_ADD, legs[i].fd, &event);
    printf("%d\n", ntohs(local.sin_port));
  }
  fflush(stdout);
  while (!stopped) {
    int ready = epoll_wait(epoll, events, 256, 100);
    for (int i = 0; i < ready; i++) {
      struct leg *in = &legs[events[i].data.u32];
      struct leg *out = &legs[in->other];
      struct sockaddr_in from;
      socklen_t length = sizeof from;
      ssize_t octets = recvfrom(in->fd, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
      if (octets < 12 || packet[0] >> 6 != 2) continue;
      in->peer = from;
      in->known = 1;
      if (!out->known) continue;
      unsigned short sequence = htons(out->sequence++);
      unsigned int timestamp = htonl(out->timestamp += 160);
      unsigned int ssrc = htonl(out->ssrc);
      memcpy(packet + 2, &sequence, 2);
      memcpy(packet + 4, &timestamp, 4);
      memcpy(packet + 8, &ssrc, 4);
      if (sendto(out->fd, packet, octets, MSG_DONTWAIT, (struct sockaddr *)&out->peer, sizeof out->peer) > 0) relayed++;
    }
  }
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  printf("%lu %ld\n", relayed,
         (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L + used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  return 0;
}
