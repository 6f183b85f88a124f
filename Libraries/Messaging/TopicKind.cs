namespace LlmMarketplace.Messaging;

/// <summary>What the events of a topic are, and so how long they are kept and what a repeated one means.</summary>
public enum TopicKind
{
    /// <summary>Full states of aggregates: the newest of each key is kept for ever, the others for 7 days; an older version than the one applied is a no-op.</summary>
    State,

    /// <summary>Facts, each for itself: kept for 7 days; every one is applied.</summary>
    Log,
}
