using System.Globalization;
using StackExchange.Redis;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>The Lua scripts and how they are spoken to. All of an organisation lies in one hash, so that one script sees it whole.</summary>
internal static class Scripts
{
    public static string Admit { get; } = Read("admit.lua");

    public static string Settle { get; } = Read("settle.lua");

    public static string Rebuild { get; } = Read("rebuild.lua");

    public const string GenerationField = "g";
    public const string MonthField = "q";
    public const string OrganisationField = "o";

    public static RedisKey KeyOf(Guid organisation) => $"consumption:{{{organisation:N}}}";

    public static string FieldOf(Guid key) => $"k:{key:N}";

    /// <summary>µs in which a tier's bucket regains one token.</summary>
    public static double MicrosecondsPerToken(TierLimits tier) => 60_000_000d / tier.TokensPerMinute;

    public static RedisValue Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>Nano-units spent on a day, in its month and in total, as the scripts keep them.</summary>
    public static RedisValue Spent(int day, decimal ofDay, decimal ofMonth, decimal total) =>
        string.Create(CultureInfo.InvariantCulture, $"{day} {ofDay:F0} {ofMonth:F0} {total:F0}");

    public static RedisValue Tokens(int day, decimal ofMonth) => string.Create(CultureInfo.InvariantCulture, $"{day / 100} {ofMonth:F0}");

    private static string Read(string name)
    {
        using var stream = typeof(Scripts).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"{name} is not embedded.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
