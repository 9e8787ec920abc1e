#include "server/session/testing/personalities.h"

#include <time.h>

#include <cerrno>
#include <memory>

#include "personalities/api/claims.h"
#include "personalities/api/personality.h"
#include "personalities/api/task.h"
#include "server/stack/epoch.h"

namespace guise::server::testing {
namespace {

using api::Below;
using api::Call;
using api::Claims;
using api::Nr;
using api::Personality;
using api::SysResult;
using api::SysTask;

class Alpha : public Personality {
 public:
  std::string_view Name() const noexcept override { return "alpha"; }
  void Claim(Claims& claims) const override {
    claims.Serve<Nr::geteuid, &Alpha::Value>(*this);
    claims.Serve<Nr::getegid, &Alpha::RunTwice>(*this);
    claims.Serve<Nr::chdir, &Alpha::Length>(*this);
    claims.Serve<Nr::uname, &Alpha::Clock>(*this);
    claims.Serve<Nr::getpgrp, &Alpha::TooLong>(*this);
    claims.Serve<Nr::getppid, &Alpha::Tail>(*this);
    claims.Deny<Nr::acct>(EPERM);
  }

 private:
  SysTask Value(Call&, Below) const { co_return SysResult::Ok(kAlpha); }

  SysTask RunTwice(Call& call, Below) const {
    const SysResult first = co_await call.Run(Nr::getppid);
    const SysResult second = co_await call.Run(Nr::getppid);
    co_return SysResult::Ok(first.value() + second.value());
  }

  SysTask Length(Call& call, Below) const {
    const api::Path path = call.Arg<api::Path>(0);
    if (!path.is_there()) co_return SysResult::Error(EFAULT);
    co_return SysResult::Ok(path.text.size());
  }

  SysTask Clock(Call& call, Below) const {
    const api::Room<timespec> room = call.MakeRoom<timespec>();
    const SysResult got = co_await call.Run(Nr::clock_gettime, CLOCK_MONOTONIC, room);
    if (!got.ok()) co_return got;
    const int64_t seconds = call.Read(room).tv_sec;
    call.CopyOut(0, seconds);
    co_return SysResult::Ok(0);
  }

  SysTask TooLong(Call& call, Below) const {
    while (true) {
      const SysResult result = co_await call.Run(Nr::getppid);
      if (!result.ok()) co_return result;
    }
  }

  SysTask Tail(Call& call, Below below) const { co_return below.Tail(call); }
};

class Beta : public Personality {
 public:
  std::string_view Name() const noexcept override { return "beta"; }
  void Claim(Claims& claims) const override { claims.Serve<Nr::geteuid, &Beta::Value>(*this); }

 private:
  SysTask Value(Call&, Below) const { co_return SysResult::Ok(kBeta); }
};

class Cell : public Personality {
 public:
  std::string_view Name() const noexcept override { return "cell"; }
  void Claim(Claims& claims) const override { claims.SpeakForSandbox(); }
};

class Linux : public Personality {
 public:
  std::string_view Name() const noexcept override { return "linux"; }
  void Claim(Claims&) const override {}
};

}  // namespace

EpochCompiler TestCompiler() {
  auto registry = std::make_shared<api::Registry>();
  registry->Add({.name = "alpha", .make = api::MakeWithoutArgument<Alpha>}).IgnoreError();
  registry->Add({.name = "beta", .make = api::MakeWithoutArgument<Beta>}).IgnoreError();
  registry->Add({.name = "cell", .make = api::MakeWithoutArgument<Cell>}).IgnoreError();
  registry->Add({.name = "linux", .make = api::MakeWithoutArgument<Linux>}).IgnoreError();
  return [registry](const EpochSpec& spec) { return Epoch::Compile(*registry, spec); };
}

}  // namespace guise::server::testing
