// The accounts that tests run programs as: root, and an ordinary user. Guise must work for both.
#ifndef GUISE_TESTS_SUPPORT_ACCOUNT_H_
#define GUISE_TESTS_SUPPORT_ACCOUNT_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace guise::tests {

struct Account {
  std::string name;  // "root" or "user": fit for a test's name
  uid_t uid = 0;
  gid_t gid = 0;
};

inline bool operator==(const Account& a, const Account& b) { return a.uid == b.uid && a.gid == b.gid; }

// The account that this test process has: commands run as it unless they say otherwise.
Account Self();

// An account without rights: `nobody` when the test runs as root (else the first uid from 20000 that has no name), the
// caller when it does not.
Account OrdinaryUser();

// Root and the ordinary user, or the ordinary user alone where the test does not run as root.
std::vector<Account> Accounts();

}  // namespace guise::tests

#endif  // GUISE_TESTS_SUPPORT_ACCOUNT_H_
