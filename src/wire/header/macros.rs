//! The shapes that many headers share.

/// A number and nothing else.
macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl<'a> TypedHeader<'a> for $name {
            const ID: HeaderId = HeaderId::$name;

            fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
                let mut cursor = Cursor::new(value);
                let number = cursor.number()?;
                cursor.end()?;
                Ok(Self(number))
            }
        }
    )*};
}

/// One word, read by the function in parentheses, and nothing else. Empty elements of a list are skipped.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident($read:path);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(pub &'a str);

        impl<'a> TypedHeader<'a> for $name<'a> {
            const ID: HeaderId = HeaderId::$name;
            const SKIPS_EMPTY: bool = HeaderId::$name.is_comma_list();

            fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
                let mut cursor = Cursor::new(value);
                let word = $read(&mut cursor)?;
                cursor.end()?;
                Ok(Self(word))
            }

            fn parse_text(value: &'a str) -> Result<Self, HeaderError> {
                let mut cursor = Cursor::of(value.into());
                let word = $read(&mut cursor)?;
                cursor.end()?;
                Ok(Self(word))
            }
        }
    )*};
}

/// What the function in parentheses reads, then parameters, each shown to the second function. Elements of a list that
/// are empty are skipped where that is said.
macro_rules! parameterised {
    ($($(#[$doc:meta])* $name:ident($read:path, $check:expr $(, $skips:literal)?) {
        $(#[$field_doc:meta])* $field:ident: $kind:ty
    };)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'a> {
            $(#[$field_doc])*
            pub $field: $kind,
            /// The parameters.
            pub params: Params<'a>,
        }

        impl<'a> TypedHeader<'a> for $name<'a> {
            const ID: HeaderId = HeaderId::$name;
            $(const SKIPS_EMPTY: bool = $skips;)?

            fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
                let mut cursor = Cursor::new(value);
                let $field = $read(&mut cursor)?;
                let params = Params::header(&mut cursor, $check)?;
                Ok(Self { $field, params })
            }
        }
    )*};
}

pub(super) use {numbers, parameterised, words};
