#include "tests/support/account.h"

#include <pwd.h>
#include <unistd.h>

namespace guise::tests {

Account Self() { return Account{geteuid() == 0 ? "root" : "user", geteuid(), getegid()}; }

Account OrdinaryUser() {
  if (geteuid() != 0) return Self();
  const passwd* nobody = getpwnam("nobody");
  if (nobody != nullptr && nobody->pw_uid != 0) return Account{"user", nobody->pw_uid, nobody->pw_gid};
  uid_t uid = 20000;
  while (getpwuid(uid) != nullptr) ++uid;
  return Account{"user", uid, uid};
}

std::vector<Account> Accounts() {
  if (geteuid() == 0) return {Self(), OrdinaryUser()};
  return {OrdinaryUser()};
}

}  // namespace guise::tests
