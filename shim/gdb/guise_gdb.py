"""Shows gdb a guest of Guise as the program that it is; guise-shim-gdb.py loads it.

  * The program's symbols are added: gdb takes the shim for the program.
  * A thread in a call stands in a stub of Guise's, which no table for unwinding knows: the frame behind it is that of the
    call's site, with its registers.
  * SIGSYS, by which calls are caught, is passed on in silence.
"""

import os
import re
import struct

import gdb
from gdb.unwinder import Unwinder, register_unwinder

SHIM = "guise-shim"

# Of the kernel's struct sigcontext_64, and at the start of a thread's block (shim/arch/x86_64/offsets.h).
SAVED = {
    "r8": 0, "r9": 8, "r10": 16, "r12": 32, "r13": 40, "r14": 48, "r15": 56, "rdi": 64, "rsi": 72,
    "rbp": 80, "rbx": 88, "rdx": 96, "rax": 104, "rsp": 120, "rip": 128,
}
SITE = 188  # in a block: the stub of the call under way, an index of the stub table
SIGCONTEXT = 40  # where the restorer finds it, from the stack pointer: in a struct ucontext
SITE_SIZE = 2
STUBS = 8192
STUB_SIZE = 16
ENTRY_SIZE = 16
KEY = 8  # in an entry: behind the site
# Of shim/rewrite/stub_code.h: a StubHead, in front of a rewritten site's code.
HEAD_SIZE = 24
AHEAD = 18  # in a head: how much of what stands in front of the site was moved
MAX_STUB = 240
# What a stub leaves as it is.
KEPT = ("rbx", "rbp", "rsp", "r12", "r13", "r14", "r15", "rdi", "rsi", "rdx", "r8", "r9", "r10")


def unsigned(register):
    return int(register) & (1 << 64) - 1


def read(address, size):
    return gdb.selected_inferior().read_memory(address, size).tobytes()


def read_word(address):
    return int.from_bytes(read(address, 8), "little")


class Mapping:
    def __init__(self, start, end, offset, path):
        self.start, self.end, self.offset, self.path = start, end, offset, path


def mappings():
    """Those of the process or core with a file's name, by `info proc mappings`."""
    try:
        text = gdb.execute("info proc mappings", to_string=True)
    except gdb.error:
        return []
    found = []
    for line in text.splitlines():
        words = re.match(r"\s*0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(?:[-rwxps]{4}\s+)?(/.*)", line)
        if words:
            found.append(Mapping(*(int(word, 16) for word in words.groups()[:3]), words.group(4)))
    return found


class Image:
    """The shim in one inferior."""

    def __init__(self, path, base):
        self.path, self.base = path, base
        offsets = symbols(path)
        self.stubs = base + offsets["guise_stubs"]
        self.entries = base + offsets["guise_stub_entries"]
        # Behind the gates is the restorer.
        self.text = base + offsets["guise_copy"], base + offsets["guise_restorer"]
        # Within it, what C++ calls, and returns to.
        self.called = base + offsets["guise_step_gate"], base + offsets["guise_thread_exit_gate"]
        # Within it, where the block is %gs, and the guest's registers but rcx and r11 are its own, or on their way.
        self.direct = base + offsets["guise_direct_gate"], base + offsets["guise_fold_gate_end"]

    def site_of(self, index):
        return read_word(self.entries + index * ENTRY_SIZE + KEY) or None

    def site_behind(self, pc):
        """Behind which site the stub at `pc` makes its call, and how far in front of the site an instruction stands that
        was moved to `pc`, or 0; None, 0: pc is in no stub."""
        if self.stubs <= pc < self.stubs + STUBS * STUB_SIZE:
            return self.site_of((pc - self.stubs) // STUB_SIZE), 0
        if pc < MAX_STUB:
            return None, 0
        # A head is known by the table's entry of the same site.
        start = pc - MAX_STUB
        try:
            code = read(start, MAX_STUB)
        except gdb.MemoryError:
            start = pc & ~0xfff
            code = read(start, pc - start)
        for at in range(len(code) - HEAD_SIZE, -1, -1):
            index = int.from_bytes(code[at + 8 : at + 12], "little")
            after = int.from_bytes(code[at : at + 8], "little")
            if index >= STUBS or after == 0 or start + at + code[at + 15] <= pc:
                continue
            if read_word(self.entries + index * ENTRY_SIZE + KEY) == after:
                return after, max(0, start + at + HEAD_SIZE + code[at + AHEAD] - pc)
        return None, 0


def symbols(path):
    """Addresses in the image by name, from its symbol table; gdb's own may be at the wrong place."""
    with open(path, "rb") as file:
        image = file.read()

    def number(at, size):
        return int.from_bytes(image[at : at + size], "little")

    sections = number(0x28, 8)
    found = {}
    for i in range(number(0x3C, 2)):
        section = sections + i * 64
        if number(section + 4, 4) != 2:  # SHT_SYMTAB
            continue
        table, size = number(section + 24, 8), number(section + 32, 8)
        strings = number(sections + number(section + 40, 4) * 64 + 24, 8)
        for symbol in range(table, table + size, 24):
            name = strings + number(symbol, 4)
            found[image[name : image.index(b"\0", name)].decode()] = number(symbol + 8, 8)
    return found


shown = {}  # by the inferior's number: the process whose symbols were added
added = {}  # by the inferior's number: addresses in the files whose symbols were added
images = {}  # by the inferior's number: Image, or None where there is none


def image():
    inferior = gdb.selected_inferior()
    if inferior.num not in images:
        images[inferior.num] = None  # not asked for again from within
        for mapping in mappings():
            if os.path.basename(mapping.path) == SHIM and mapping.offset == 0:
                images[inferior.num] = Image(mapping.path, mapping.start)
                break
    return images[inferior.num]


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class GuiseUnwinder(Unwinder):
    def __init__(self):
        super().__init__("guise")

    def __call__(self, frame):
        if gdb.selected_inferior().pid == 0:
            return None
        shim = image()
        if shim is None:
            return None
        pc = unsigned(frame.read_register("rip"))
        info = frame.create_unwind_info(FrameId(frame.read_register("rsp"), frame.read_register("rip")))
        try:
            saved = None
            if shim.called[0] <= pc < shim.called[1]:
                return None
            direct = shim.direct[0] <= pc < shim.direct[1]
            if not direct and shim.text[0] <= pc < shim.text[1]:
                saved = unsigned(frame.read_register("rbx"))
            elif pc == shim.text[1]:
                saved = unsigned(frame.read_register("rsp")) + SIGCONTEXT
            if saved is not None:
                for name, offset in SAVED.items():
                    info.add_saved_register(name, gdb.Value(read_word(saved + offset)))
                return info
            if direct:
                block = unsigned(frame.read_register("gs_base"))
                after, ahead = shim.site_of(read_word(block + SITE) & 0xFFFFFFFF), 0
            else:
                after, ahead = shim.site_behind(pc)
        except gdb.MemoryError:
            return None
        if after is None:
            return None
        for name in KEPT if ahead == 0 else KEPT + ("rax", "rcx", "r11"):
            info.add_saved_register(name, frame.read_register(name))
        # Of an outer frame gdb looks at the byte in front: that is of the instruction which is next.
        info.add_saved_register("rip", gdb.Value(after if ahead == 0 else after - SITE_SIZE - ahead + 1))
        return info


def program():
    """The guest's program, by where its headers are: its path, and how far it lies from where it was linked to."""
    vector = gdb.execute("info auxv", to_string=True)
    headers = re.search(r"AT_PHDR .*0x([0-9a-f]+)", vector)
    address = int(headers.group(1), 16) if headers else 0
    for mapping in mappings():
        if mapping.start <= address < mapping.end:
            return mapping.path, bias_of(mapping)
    return None, 0


def bias_of(mapping):
    with open(mapping.path, "rb") as file:
        elf = file.read(4096)
    headers = int.from_bytes(elf[0x20:0x28], "little")
    for at in range(headers, headers + 56 * int.from_bytes(elf[0x38:0x3a], "little"), 56):
        kind, _, offset, address = struct.unpack_from("<IIQQ", elf, at)
        if kind == 1 and offset & ~0xFFF == mapping.offset:  # PT_LOAD
            return mapping.start - (address & ~0xFFF)
    return 0


def add_symbols(number, path, bias):
    quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
    gdb.execute("with confirm off -- add-symbol-file {} -o {:#x}".format(quoted, bias), to_string=True)
    added.setdefault(number, []).append(bias + text_of(path))


def text_of(path):
    """Where the file's .text is linked to: by an address in it gdb knows the file again."""
    with open(path, "rb") as file:
        elf = file.read()
    sections, count, names = (struct.unpack_from(form, elf, at)[0] for form, at in (("<Q", 0x28), ("<H", 0x3C), ("<H", 0x3E)))
    strings = struct.unpack_from("<Q", elf, sections + names * 64 + 24)[0]
    for at in range(sections, sections + count * 64, 64):
        name = strings + struct.unpack_from("<I", elf, at)[0]
        if elf[name : name + 6] == b".text\0":
            return struct.unpack_from("<Q", elf, at + 16)[0]
    return 0


def show_guest(_=None):
    """Adds the symbols of program and shim, once a process: gdb has the shim for the program, at no address."""
    inferior = gdb.selected_inferior()
    if inferior.pid == 0 or shown.get(inferior.num) == inferior.pid:
        return
    forget_one(inferior.num)
    try:
        shim = image()
        if shim is None:
            return
        shown[inferior.num] = inferior.pid
        add_symbols(inferior.num, shim.path, shim.base)
        path, bias = program()
        if path is None or path == gdb.current_progspace().filename:
            return
        add_symbols(inferior.num, path, bias)
        print("Guise: the guest's program is " + path)
    except (gdb.error, OSError, struct.error) as error:
        # A core of another machine, a program of another mount namespace.
        print("Guise: the guest's symbols cannot be read: {}".format(error))


class GuiseSymbols(gdb.Command):
    """Adds the symbols of a guest's program, as gdb does by itself at its prompt, and where the guest stops.

    For `gdb -batch -p PID -ex guise-symbols -ex bt`."""

    def __init__(self):
        super().__init__("guise-symbols", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        show_guest()


def forget_one(number):
    """Another process, or another program, is to come: what was known of the inferior's is wrong."""
    images.pop(number, None)
    shown.pop(number, None)
    for address in added.pop(number, ()):
        try:
            gdb.execute("with confirm off -- remove-symbol-file -a {:#x}".format(address), to_string=True)
        except gdb.error:
            pass  # gdb has dropped it


def forget_exited(event):
    forget_one(event.inferior.num)


def forget_program(_):
    number = gdb.selected_inferior().num
    images.pop(number, None)
    shown.pop(number, None)


gdb.execute("handle SIGSYS nostop noprint pass", to_string=True)
register_unwinder(None, GuiseUnwinder())
gdb.events.stop.connect(show_guest)
gdb.events.before_prompt.connect(show_guest)
gdb.events.exited.connect(forget_exited)
gdb.events.clear_objfiles.connect(forget_program)
GuiseSymbols()
