using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Webhooks;
using LlmMarketplace.Messaging;
using Npgsql;
using NpgsqlTypes;

namespace LlmMarketplace.Consumption.Budgets;

/// <summary>
/// Tells when budgets are half spent, at 80 % and spent, in the transaction that writes the records:
/// <code>
/// records by COPY ─► lock the organisations ─► budgets that apply ─► add the charges to the sums that are there
///                                              ─► a budget without sum: sum its records ─► thresholds crossed: events, and a note that they were told ─► commit
/// </code>
/// Whoever writes records of an organisation holds its lock from there to the commit. So a sum that is made sees all records before it, and every charge after it is added: neither misses
/// one, nor counts it twice; and a threshold is told with the record that crosses it, or not at all. Sums are exact where they are kept; read, they are cut to what a decimal holds.
/// </summary>
internal sealed class WatchBudgets(Outbox outbox, TimeProvider time)
{
    private const long LockSpace = 0x4C4C_4D42_4557;

    private const string Lock = "SELECT pg_advisory_xact_lock(hashtextextended(o::text, $2)) FROM unnest($1) AS o";

    private const string Budgets =
        """
        SELECT 'organisation', organisation_id, '', amount, currency, period FROM budgets WHERE organisation_id = ANY ($1) AND amount IS NOT NULL
        UNION ALL SELECT 'key', organisation_id, id::text, budget_amount, budget_currency, budget_period FROM keys WHERE id = ANY ($2) AND budget_amount IS NOT NULL
        UNION ALL SELECT 'each', organisation_id, id::text, end_user_budget_amount, end_user_budget_currency, end_user_budget_period FROM keys WHERE id = ANY ($2) AND end_user_budget_amount IS NOT NULL
        UNION ALL SELECT 'end-user', organisation_id, end_user, amount, currency, period FROM end_user_budgets WHERE organisation_id = ANY ($1) AND end_user = ANY ($3) AND amount IS NOT NULL
        """;

    private const string AddCharges =
        """
        UPDATE budget_spending AS s SET spent = s.spent + c.cost
        FROM unnest($1, $2, $3, $4, $5) AS c (organisation_id, scope, subject, period_start, cost)
        WHERE s.organisation_id = c.organisation_id AND s.scope = c.scope AND s.subject = c.subject AND s.period_start = c.period_start
        RETURNING s.organisation_id, s.scope, s.subject, s.period_start, trunc(s.spent, 12)
        """;

    /// <summary>Holds what this one holds while it works, until the transaction ends.</summary>
    public static async Task LockAsync(NpgsqlConnection connection, Guid organisation, CancellationToken cancellationToken)
    {
        await using var hold = new NpgsqlCommand(Lock, connection) { Parameters = { new() { Value = new[] { organisation } }, new() { Value = LockSpace } } };
        await hold.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>To be called near the commit: it holds the organisations' locks until then.</summary>
    /// <param name="connection">In the transaction that wrote the records.</param>
    /// <param name="records">What was written, and charged nothing before.</param>
    /// <param name="cancellationToken">Cancels it; the transaction is void then.</param>
    public async Task WriteAsync(NpgsqlConnection connection, IEnumerable<UsageRecord> records, CancellationToken cancellationToken)
    {
        var charged = records.Where(record => record.Cost > 0).ToList();
        if (charged.Count == 0)
        {
            return;
        }

        var (budgets, sums) = await ReadAsync(connection, charged, cancellationToken);
        var reached = new List<(WatchedBudget Budget, decimal Spent)>();
        foreach (var budget in charged.SelectMany(record => Watched(record, budgets)).Distinct())
        {
            if (!sums.TryGetValue(budget.Of, out var spent))
            {
                spent = sums[budget.Of] = await SumAsync(connection, budget.Of, cancellationToken);
            }

            if (budget.Reached(spent) > 0)
            {
                reached.Add((budget, spent));
            }
        }

        if (reached.Count > 0)
        {
            await TellAsync(connection, reached, cancellationToken);
        }
    }

    private static async Task<(Dictionary<(string Kind, Guid Organisation, string Subject), Budget> Budgets, Dictionary<Spending, decimal> Sums)> ReadAsync(
        NpgsqlConnection connection, List<UsageRecord> charged, CancellationToken cancellationToken)
    {
        var organisations = charged.Select(record => record.OrganisationId).Distinct().Order().ToArray();
        var charges = charged
            .SelectMany(record => Spending.Of(record.OrganisationId, record.KeyId, record.EndUser, record.Day).Select(of => (Of: of, record.Cost)))
            .GroupBy(charge => charge.Of, charge => charge.Cost)
            .Select(group => (Of: group.Key, Cost: group.Sum()))
            .ToArray();
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new(Lock) { Parameters = { new() { Value = organisations }, new() { Value = LockSpace } } },
                new(Budgets)
                {
                    Parameters =
                    {
                        new() { Value = organisations },
                        new() { Value = charged.Select(record => record.KeyId).Distinct().ToArray() },
                        new() { Value = charged.Select(record => record.EndUser ?? EndUserBudgetRow.Each).Append(EndUserBudgetRow.Each).Distinct().ToArray() },
                    },
                },
                new(AddCharges) { Parameters = { Column(charges, c => c.Of.Organisation), Column(charges, c => c.Of.Scope.ToString()), Column(charges, c => c.Of.Subject), Column(charges, c => c.Of.PeriodStart), Column(charges, c => c.Cost) } },
            },
        };
        var budgets = new Dictionary<(string, Guid, string), Budget>();
        var sums = new Dictionary<Spending, decimal>();
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            budgets[(reader.GetString(0), reader.GetGuid(1), reader.GetString(2))] = new Budget(reader.GetDecimal(3), reader.GetString(4), Enum.Parse<BudgetPeriod>(reader.GetString(5)));
        }

        await reader.NextResultAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            sums[new Spending(reader.GetGuid(0), Enum.Parse<BudgetScope>(reader.GetString(1)), reader.GetString(2), reader.GetInt32(3))] = reader.GetDecimal(4);
        }

        return (budgets, sums);
    }

    /// <summary>The budgets that a call was charged to; of an end user's, the one that its key met (<see cref="Keys.KeyRing.BudgetOf(string, Keys.Key)"/>).</summary>
    private static IEnumerable<WatchedBudget> Watched(UsageRecord record, Dictionary<(string Kind, Guid Organisation, string Subject), Budget> budgets)
    {
        var (organisation, key) = (record.OrganisationId, record.KeyId.ToString());
        if (budgets.TryGetValue(("organisation", organisation, ""), out var whole))
        {
            yield return Watch(BudgetScope.Organisation, "", "", whole);
        }

        if (budgets.TryGetValue(("key", organisation, key), out var ofKey))
        {
            yield return Watch(BudgetScope.Key, key, "", ofKey);
        }

        if (record.EndUser is not { } endUser)
        {
            yield break;
        }

        if (budgets.TryGetValue(("end-user", organisation, endUser), out var own))
        {
            yield return Watch(BudgetScope.EndUser, endUser, "", own);
        }
        else if (budgets.TryGetValue(("each", organisation, key), out var byKey))
        {
            yield return Watch(BudgetScope.EndUser, endUser, key, byKey);
        }
        else if (budgets.TryGetValue(("end-user", organisation, EndUserBudgetRow.Each), out var each))
        {
            yield return Watch(BudgetScope.EndUser, endUser, "", each);
        }

        WatchedBudget Watch(BudgetScope scope, string subject, string setBy, Budget budget) => new(new Spending(organisation, scope, subject, Spending.Start(budget.Period, record.Day)), setBy, budget);
    }

    private static async Task<decimal> SumAsync(NpgsqlConnection connection, Spending of, CancellationToken cancellationToken)
    {
        var (from, to) = of.Days;
        var whose = of.Scope switch
        {
            BudgetScope.Key => " AND key_id = $3::uuid",
            BudgetScope.EndUser => " AND end_user = $3",
            _ => "",
        };
        await using var sum = new NpgsqlCommand(
            $"""
             INSERT INTO budget_spending (organisation_id, scope, subject, period_start, spent)
             SELECT $1, $2, $3, $4, coalesce(sum(cost), 0) FROM usage_records WHERE organisation_id = $1 AND day BETWEEN $5 AND $6{whose}
             RETURNING trunc(spent, 12)
             """,
            connection)
        {
            Parameters =
            {
                new() { Value = of.Organisation }, new() { Value = of.Scope.ToString() }, new() { Value = of.Subject, NpgsqlDbType = NpgsqlDbType.Text }, new() { Value = of.PeriodStart },
                new() { Value = from }, new() { Value = to },
            },
        };
        return (decimal)(await sum.ExecuteScalarAsync(cancellationToken))!;
    }

    private async Task TellAsync(NpgsqlConnection connection, List<(WatchedBudget Budget, decimal Spent)> reached, CancellationToken cancellationToken)
    {
        var told = await ToldAsync(connection, reached, cancellationToken);
        var news = reached
            .Select(one => (one.Budget, one.Spent, Told: told.TryGetValue((one.Budget.Of, one.Budget.SetBy), out var before) && before.Amount == one.Budget.Budget.Amount ? before.Threshold : 0))
            .Where(one => one.Budget.Reached(one.Spent) > one.Told)
            .ToList();
        if (news.Count == 0)
        {
            return;
        }

        await using var note = new NpgsqlCommand(
            """
            INSERT INTO budget_alerts (organisation_id, scope, subject, set_by, period_start, amount, threshold) SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (organisation_id, scope, subject, set_by, period_start) DO UPDATE SET amount = excluded.amount, threshold = excluded.threshold
            """,
            connection);
        AddKeys(note.Parameters, [.. news.Select(one => one.Budget)]);
        note.Parameters.Add(Column(news, one => one.Budget.Budget.Amount));
        note.Parameters.Add(Column(news, one => one.Budget.Reached(one.Spent)));
        await note.ExecuteNonQueryAsync(cancellationToken);
        var now = time.GetUtcNow();
        var events = news.SelectMany(one => one.Budget.Events(one.Told, one.Spent, now)).ToList();
        var messages = await outbox.CopyAsync(connection, [.. events.Select(reached => (reached.OrganisationId, (long)reached.Threshold, reached))], cancellationToken);
        await QueueDeliveries.RunAsync(connection, [.. events.Select(reached => reached.OrganisationId).Zip(messages)], now, cancellationToken);
    }

    private static async Task<Dictionary<(Spending Of, string SetBy), (decimal Amount, int Threshold)>> ToldAsync(
        NpgsqlConnection connection, List<(WatchedBudget Budget, decimal Spent)> reached, CancellationToken cancellationToken)
    {
        await using var read = new NpgsqlCommand(
            """
            SELECT organisation_id, scope, subject, set_by, period_start, amount, threshold FROM budget_alerts
            WHERE (organisation_id, scope, subject, set_by, period_start) IN (SELECT * FROM unnest($1, $2, $3, $4, $5))
            """,
            connection);
        AddKeys(read.Parameters, [.. reached.Select(one => one.Budget)]);
        var told = new Dictionary<(Spending, string), (decimal, int)>();
        await using var reader = await read.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            told[(new Spending(reader.GetGuid(0), Enum.Parse<BudgetScope>(reader.GetString(1)), reader.GetString(2), reader.GetInt32(4)), reader.GetString(3))] = (reader.GetDecimal(5), reader.GetInt32(6));
        }

        return told;
    }

    private static void AddKeys(NpgsqlParameterCollection parameters, List<WatchedBudget> budgets)
    {
        parameters.Add(Column(budgets, budget => budget.Of.Organisation));
        parameters.Add(Column(budgets, budget => budget.Of.Scope.ToString()));
        parameters.Add(Column(budgets, budget => budget.Of.Subject));
        parameters.Add(Column(budgets, budget => budget.SetBy));
        parameters.Add(Column(budgets, budget => budget.Of.PeriodStart));
    }

    private static NpgsqlParameter Column<TRow, TValue>(IEnumerable<TRow> rows, Func<TRow, TValue> value) => new() { Value = rows.Select(value).ToArray() };
}
