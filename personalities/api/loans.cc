#include "personalities/api/loans.h"

#include <algorithm>

namespace guise::api {

Loans::Loan* Loans::Find(const Inode& inode) {
  Loan* const end = loans_.data() + count_;
  Loan* const found = std::find_if(loans_.data(), end, [&](const Loan& loan) { return loan.inode == inode; });
  return found == end ? nullptr : found;
}

bool Loans::Enter(const Inode& inode) {
  Loan* loan = Find(inode);
  if (loan == nullptr) {
    if (count_ == loans_.size()) return false;
    loan = &loans_[count_++];
    *loan = Loan{.inode = inode};
  }
  ++loan->borrowers;
  return true;
}

std::optional<uint32_t> Loans::Lend(const Inode& inode, uint32_t mode, uint32_t wanted) {
  Loan* const loan = Find(inode);
  if (loan == nullptr) return std::nullopt;
  if (!loan->IsOwn(mode)) {
    loan->is_known = true;
    loan->before = loan->lent = mode;
  }
  loan->lent |= wanted;
  if (loan->lent == mode) return std::nullopt;
  return loan->lent;
}

std::optional<Loans::Loan> Loans::Return(const Inode& inode) {
  Loan* const loan = Find(inode);
  if (loan == nullptr || --loan->borrowers > 0) return std::nullopt;
  loan->is_settling = true;
  return *loan;
}

void Loans::Settle(const Inode& inode) {
  Loan* const loan = Find(inode);
  if (loan == nullptr) return;
  loan->is_settling = false;
  // Else somebody has come meanwhile.
  if (loan->borrowers == 0) *loan = loans_[--count_];
}

void Loans::Abandon(const Inode& inode) {
  Loan* const loan = Find(inode);
  if (loan != nullptr) loan->is_settling = false;
}

bool Loans::IsSettling(const Inode& inode) {
  const Loan* const loan = Find(inode);
  return loan != nullptr && loan->is_settling;
}

uint32_t Loans::Shown(const Inode& inode, uint32_t mode) {
  const Loan* const loan = Find(inode);
  return loan != nullptr && loan->IsOwn(mode) ? loan->before : mode;
}

void Loans::Keep(const Inode& inode) {
  Loan* const loan = Find(inode);
  if (loan != nullptr) loan->before = loan->lent;
}

}  // namespace guise::api
