namespace LlmMarketplace.AllInOne;

/// <summary>It cannot start, and the person who started it can mend that: one sentence that says how.</summary>
internal sealed class StartException(string message, Exception? inner = null) : Exception(message, inner);
