#include "tests/kinds/plants.h"

#include <initializer_list>

namespace guise::kinds {
namespace {

using syscall::Arg;
using syscall::ArgKind;
using syscall::Row;

struct Swap {
  ArgKind is, wrong;
};
constexpr Swap kSwaps[] = {
    {ArgKind::BufIn, ArgKind::BufOut},         {ArgKind::BufOut, ArgKind::BufIn},
    {ArgKind::StructIn, ArgKind::StructOut},   {ArgKind::StructOut, ArgKind::StructIn},
    {ArgKind::StructInOut, ArgKind::StructIn}, {ArgKind::StructInOut, ArgKind::StructOut},
    {ArgKind::ArrayIn, ArgKind::ArrayOut},     {ArgKind::ArrayOut, ArgKind::ArrayIn},
    {ArgKind::ArrayInOut, ArgKind::ArrayIn},   {ArgKind::ArrayInOut, ArgKind::ArrayOut},
    {ArgKind::SigSetIn, ArgKind::SigSetOut},   {ArgKind::SigSetOut, ArgKind::SigSetIn},
    {ArgKind::BitsIn, ArgKind::BitsOut},       {ArgKind::BitsOut, ArgKind::BitsIn},
    {ArgKind::SockAddrIn, ArgKind::BufOut},    {ArgKind::CapsIn, ArgKind::CapsOut},
    {ArgKind::CapsOut, ArgKind::CapsIn},       {ArgKind::IovecIn, ArgKind::ArrayOut},
    {ArgKind::HandleInOut, ArgKind::HandleIn}, {ArgKind::FdSet, ArgKind::BitsIn},
    {ArgKind::PagesOut, ArgKind::BufOut},      {ArgKind::MsgHdrOut, ArgKind::MsgHdrIn},
    {ArgKind::MMsgHdrOut, ArgKind::IovecIn},
};

bool HasBytes(ArgKind kind) {
  for (const ArgKind sized : {ArgKind::StructIn, ArgKind::StructOut, ArgKind::StructInOut, ArgKind::ArrayIn,
                              ArgKind::ArrayOut, ArgKind::ArrayInOut, ArgKind::BufIn, ArgKind::BufOut}) {
    if (kind == sized) return true;
  }
  return false;
}

}  // namespace

std::vector<Plant> PlantsOf(const Row& row) {
  if (syscall::IsGone(row)) return {};
  std::vector<Plant> plants;
  const auto plant = [&](size_t i, const std::string& text, auto change) {
    plants.push_back({i, text, row});
    change(plants.back().row.args[i]);
  };
  for (size_t i = 0; i < row.Arity(); ++i) {
    const Arg& arg = row.args[i];
    for (const Swap& swap : kSwaps) {
      if (swap.is != arg.kind) continue;
      plant(i, "read-or-written", [&](Arg& wrong) { wrong.kind = swap.wrong; });
    }
    if (HasBytes(arg.kind)) {
      plant(i, "bytes+8", [](Arg& wrong) { wrong.bytes += 8; });
      if (arg.bytes >= 4) plant(i, "bytes-4", [](Arg& wrong) { wrong.bytes -= 4; });
    }
    if (!arg.has_link()) continue;
    for (size_t other = 0; other < row.Arity(); ++other) {
      // Others do not compile.
      if (other == i || other == arg.link || !syscall::IsSize(row.args[other].kind)) continue;
      if (!syscall::IsSize(row.args[arg.link].kind)) continue;
      plant(i, "length-in-" + std::to_string(other), [&](Arg& wrong) { wrong.link = static_cast<uint8_t>(other); });
    }
  }
  return plants;
}

}  // namespace guise::kinds
