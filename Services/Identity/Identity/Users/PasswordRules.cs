namespace LlmMarketplace.Identity.Users;

/// <summary>What a password must be, and how guessing is stopped.</summary>
internal static class PasswordRules
{
    public const int MinLength = 12;

    /// <summary>Hashing is not to be an attacker's lever.</summary>
    public const int MaxLength = 256;

    /// <summary>Failed attempts in a row until the account is locked out.</summary>
    public const int AttemptsUntilLockOut = 5;

    public static readonly TimeSpan LockOut = TimeSpan.FromMinutes(15);
}
