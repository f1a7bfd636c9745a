//! What an operator may do. One has any number of roles; none gives another.

/// A role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// 审核员: reviews orders and enters applications on paper.
    Reviewer,
    /// 制证: sees stock and stations, releases jobs.
    Production,
    /// 财务: records payments, asks for and approves refunds, invoices.
    Finance,
    /// 制证站管理: looks after stations and stock.
    Stations,
    /// 审计: reads everything and changes nothing.
    Auditor,
    /// 系统管理: adds operators and gives them roles.
    Administrator,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Reviewer, Self::Production, Self::Finance, Self::Stations, Self::Auditor, Self::Administrator];

    /// The word in the database and on the command line.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Reviewer => "reviewer",
            Self::Production => "production",
            Self::Finance => "finance",
            Self::Stations => "stations",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }

    /// The word on pages.
    #[must_use]
    pub fn zh(self) -> &'static str {
        match self {
            Self::Reviewer => "审核员",
            Self::Production => "制证",
            Self::Finance => "财务",
            Self::Stations => "制证站管理",
            Self::Auditor => "审计",
            Self::Administrator => "系统管理",
        }
    }

    /// The role with this code, if there is one.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }
}

impl std::str::FromStr for Role {
    type Err = String;
    fn from_str(code: &str) -> Result<Self, String> {
        let codes = Self::ALL.map(Self::code).join(", ");
        Self::from_code(code).ok_or_else(|| format!("there is no role {code:?}: it is one of {codes}"))
    }
}

/// Roles as the audit tells them, and pages: `reviewer,finance`.
#[must_use]
pub fn codes(roles: &[Role]) -> String {
    roles.iter().map(|role| role.code()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::Role;

    #[test]
    fn codes_are_unique_and_read_back() {
        for role in Role::ALL {
            assert_eq!(role.code().parse(), Ok(role));
        }
        assert!("Reviewer".parse::<Role>().is_err());
    }
}
