/* Phones for the benches: `legs` sockets of 127.0.0.1, each sends a 172-octet RTP packet every 20 ms to its port (read from
 * stdin, one a line), spread over the 20 ms, for `seconds`. Prints its own ports first, one a line; when it is told the
 * ports it begins. At the end: packets sent and packets received. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

int main(int count, char **arguments) {
  int legs = count > 1 ? atoi(arguments[1]) : 100;
  double seconds = count > 2 ? atof(arguments[2]) : 4;
  int *sockets = calloc(legs, sizeof *sockets);
  struct sockaddr_in *to = calloc(legs, sizeof *to);
  unsigned char packet[172] = {0x80, 0};
  unsigned char incoming[2048];
  unsigned long sent = 0, received = 0;
  memset(packet + 12, 0x9f, 160);
  for (int i = 0; i < legs; i++) {
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof local;
    sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (bind(sockets[i], (struct sockaddr *)&local, sizeof local) != 0) return 1;
    getsockname(sockets[i], (struct sockaddr *)&local, &length);
    printf("%d\n", ntohs(local.sin_port));
  }
  fflush(stdout);
  for (int i = 0; i < legs; i++) {
    int port = 0;
    if (scanf("%d", &port) != 1) return 1;
    to[i].sin_family = AF_INET;
    to[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to[i].sin_port = htons(port);
  }
  struct timespec due;
  clock_gettime(CLOCK_MONOTONIC, &due);
  int parts = legs < 20 ? legs : 20; /* a millisecond apart */
  for (unsigned tick = 0; tick < seconds * 50; tick++) {
    for (int part = 0; part < parts; part++) {
      for (int i = part; i < legs; i += parts) {
        unsigned short sequence = htons(tick);
        unsigned int timestamp = htonl(tick * 160), ssrc = htonl(0x2000 + i);
        memcpy(packet + 2, &sequence, 2);
        memcpy(packet + 4, &timestamp, 4);
        memcpy(packet + 8, &ssrc, 4);
        if (sendto(sockets[i], packet, sizeof packet, 0, (struct sockaddr *)&to[i], sizeof to[i]) > 0) sent++;
        while (recv(sockets[i], incoming, sizeof incoming, 0) > 0) received++;
      }
      due.tv_nsec += 20000000 / parts;
      if (due.tv_nsec >= 1000000000) {
        due.tv_nsec -= 1000000000;
        due.tv_sec++;
      }
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    }
  }
  for (int i = 0; i < legs; i++)
    while (recv(sockets[i], incoming, sizeof incoming, 0) > 0) received++;
  printf("%lu %lu\n", sent, received);
  return 0;
}
