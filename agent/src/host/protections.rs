//! What may be done with the pages of this process, from `/proc/self/maps` (proc_pid_maps(5)).

use std::fs;

use libc::c_int;

/// The protections of all mappings at one moment.
#[derive(Debug, Default)]
pub struct Protections {
    /// First address, address after the last, protection; by rising address, as the kernel has it.
    mappings: Vec<(usize, usize, c_int)>,
}

impl Protections {
    /// Those in force now; empty where `/proc` cannot be read.
    pub fn read() -> Protections {
        fs::read("/proc/self/maps").map_or_else(
            |_| Protections::default(),
            |maps| Protections::parse(&String::from_utf8_lossy(&maps)),
        )
    }

    pub(crate) fn parse(maps: &str) -> Protections {
        let mappings = maps.lines().filter_map(mapping).collect();
        Protections { mappings }
    }

    /// The protection of the page around `address`, as mprotect(2) takes it; `None` where nothing
    /// is mapped.
    pub fn of(&self, address: usize) -> Option<c_int> {
        let after = self
            .mappings
            .partition_point(|&(start, ..)| start <= address);
        let &(_, end, protection) = self.mappings.get(after.checked_sub(1)?)?;
        (address < end).then_some(protection)
    }
}

fn mapping(line: &str) -> Option<(usize, usize, c_int)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let protection =
        fields
            .next()?
            .chars()
            .fold(libc::PROT_NONE, |protection, letter| match letter {
                'r' => protection | libc::PROT_READ,
                'w' => protection | libc::PROT_WRITE,
                'x' => protection | libc::PROT_EXEC,
                _ => protection,
            });
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some((address(start)?, address(end)?, protection))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_has_the_protection_of_its_mapping() {
        let protections = Protections::parse(
            "1000-2000 r--p 00000000 fe:00 11 /opt/my jdk/lib/libjvm.so\n\
             2000-3000 rw-p 00001000 fe:00 11 /opt/my jdk/lib/libjvm.so\n\
             5000-6000 r-xs 00000000 00:00 0\n\
             6000-7000 ---p 00000000 00:00 0\n\
             no mapping\n",
        );
        assert_eq!(protections.of(0xfff), None);
        assert_eq!(protections.of(0x1fff), Some(libc::PROT_READ));
        assert_eq!(
            protections.of(0x2000),
            Some(libc::PROT_READ | libc::PROT_WRITE)
        );
        assert_eq!(protections.of(0x3000), None);
        assert_eq!(
            protections.of(0x5000),
            Some(libc::PROT_READ | libc::PROT_EXEC)
        );
        assert_eq!(protections.of(0x6000), Some(libc::PROT_NONE));
        assert_eq!(Protections::default().of(0), None);
    }
}
