using System.Globalization;
using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Pricing;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace LlmMarketplace.Consumption.Tests.Limits;

/// <summary>An account as it lies in Redis.</summary>
internal sealed record AccountState(int Day, long SpentOfDay, long SpentOfMonth, long Spent, long TokensOfMonth, long Open);

/// <summary>One organisation with one key, whose limits the test makes up, and instances that admit its calls.</summary>
internal sealed class LimitsWorld(Marketplace marketplace, string redis) : IAsyncDisposable
{
    private readonly List<TestService> instances = [];
    private ConnectionMultiplexer? direct;

    public Guid Organisation { get; } = Guid.CreateVersion7();

    public Guid Key { get; } = Guid.CreateVersion7();

    public Account OrganisationAccount { get; set; } = new() { Field = LimitScripts.OrganisationField };

    public Account KeyAccount => keyAccount ??= new() { Field = LimitScripts.FieldOf(Key) };

    public Account SetKey(Func<Account, Account> change) => keyAccount = change(KeyAccount);

    private Account? keyAccount;

    /// <summary>Starts an instance.</summary>
    public async Task<CallLimits> InstanceAsync(string? through = null, params KeyValuePair<string, string?>[] settings)
    {
        var instance = await marketplace.StartInstanceAsync(redisConnection: through ?? redis, settings: settings);
        instances.Add(instance);
        return instance.App.Services.GetRequiredService<CallLimits>();
    }

    public T Of<T>(int instance = 0)
        where T : notnull => instances[instance].App.Services.GetRequiredService<T>();

    public Reservation Ask(long tokens = 0, long nanos = 0, Guid? call = null) =>
        new(call ?? Guid.CreateVersion7(), Of<InstanceLease>().InstanceId, Organisation, OrganisationAccount, KeyAccount, tokens, nanos);

    /// <summary>The admission that belongs to a reservation.</summary>
    public AdmissionRow Row(Reservation asked, LimitAnswer answer) => new()
    {
        RequestId = asked.Call, InstanceId = asked.Instance, OrganisationId = Organisation, Generation = answer.Generation, KeyId = Key, ListingId = Guid.CreateVersion7(),
        VersionId = Guid.CreateVersion7(), ProviderOrganisationId = Guid.CreateVersion7(), Service = "acme/limits", Operation = "embeddings", Streamed = false,
        AdmittedAt = answer.Now, Day = answer.Day, ReservedTokens = asked.Tokens, ReservedNanos = asked.Nanos, Currency = "USD", MicrosecondsPerToken = 0,
        Claim = asked.Claim is { } claim ? $"{claim.Key} {claim.Body}" : null,
    };

    public async Task<IDatabase> DirectAsync() => (direct ??= await ConnectionMultiplexer.ConnectAsync(redis)).GetDatabase();

    /// <summary>What an account holds; all 0 when it was never touched.</summary>
    public async Task<AccountState> StateAsync(string? field = null)
    {
        var packed = (string?)await (await DirectAsync()).HashGetAsync(LimitScripts.KeyOf(Organisation), field ?? LimitScripts.OrganisationField) ?? "0 0 0 0 0 0 0 0";
        var numbers = Array.ConvertAll(packed.Split(' '), part => long.Parse(part, CultureInfo.InvariantCulture));
        return new AccountState((int)numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[7]);
    }

    public async Task<long> OpenAsync() => await (await DirectAsync()).HashLengthAsync(LimitScripts.OpenKeyOf(Organisation));

    public static Budget Nanos(long nanos, BudgetPeriod period = BudgetPeriod.Total) => new(nanos / Price.NanosPerUnit, "USD", period);

    public async ValueTask DisposeAsync()
    {
        foreach (var instance in instances)
        {
            await instance.DisposeAsync();
        }

        if (direct is not null)
        {
            await direct.DisposeAsync();
        }
    }
}
